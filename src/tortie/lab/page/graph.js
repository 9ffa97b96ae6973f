// Draws the graph: a star for each service that answers, an arrow for each connection that works in IPv4, a mark where IPv6
// differs. Everything drawn can be pressed, and then asks why it is so.

import { keep, pressable, svg } from "./dom.js";
import { curve, places, star, STAR } from "./geometry.js";

const COLLECTOR = "UI";

export class Graph {
  // `ask(from, to)` is called when somebody wants to know why.
  constructor(element, ask) {
    this.services = element.querySelector("#services");
    this.connections = element.querySelector("#connections");
    this.ask = ask;
  }

  draw(services, connections) {
    const at = places(services.map(({ id }) => id));
    keep(
      this.services,
      services,
      ({ id }) => id,
      ({ id }) => pressable(makeService(id), () => this.ask(COLLECTOR, id)),
      (element, service) => updateService(element, service, at.get(service.id)),
    );
    keep(
      this.connections,
      connections,
      ({ from, to }) => `${from} ${to}`,
      ({ from, to }) => pressable(makeConnection(from, to), () => this.ask(from, to)),
      (element, connection) => updateConnection(element, connection, curve(at.get(connection.from), at.get(connection.to))),
    );
  }

  // Marks what the explanation is about; nothing for null.
  select(from, to) {
    for (const element of this.connections.children) {
      element.setAttribute("aria-pressed", element.dataset.from === from && element.dataset.to === to);
    }
    for (const element of this.services.children) {
      element.setAttribute("aria-pressed", from === COLLECTOR && element.dataset.id === to);
    }
  }

  find(from, to) {
    const all = [...this.connections.children, ...this.services.children];
    return all.find(({ dataset }) => (dataset.from === from && dataset.to === to) || (from === COLLECTOR && dataset.id === to));
  }
}

// --- services --------------------------------------------------------------------------------------------------------------

function makeService(id) {
  return svg(
    "g",
    { "data-id": id, "aria-pressed": "false" },
    svg("circle", { class: "ring", r: STAR + 6 }),
    svg("path", { class: "star", d: star(STAR) }),
    svg("text", { class: "id" }, id),
    svg("text", { class: "name" }),
    svg("text", { class: "place-of" }),
  );
}

function updateService(element, service, place) {
  element.setAttribute("class", service.answers ? "service node" : "service absent");
  element.setAttribute("transform", `translate(${place.x.toFixed(1)} ${place.y.toFixed(1)})`);
  const state = service.answers ? "answers the management UI" : "does not answer the management UI";
  element.setAttribute("aria-label", `${service.id}, ${service.name} in ${service.namespace}: ${state}. Why?`);
  const [name, placeOf] = element.querySelectorAll(".name, .place-of");
  name.textContent = service.name;
  placeOf.textContent = service.namespace && `${service.namespace} · TCP ${service.port}`;
  name.setAttribute("y", place.above ? -STAR - 36 : STAR + 24);
  placeOf.setAttribute("y", place.above ? -STAR - 14 : STAR + 46);
}

// --- connections -----------------------------------------------------------------------------------------------------------

function makeConnection(from, to) {
  return svg(
    "g",
    { "data-from": from, "data-to": to, "aria-pressed": "false" },
    svg("path", { class: "hit" }),
    svg("path", { class: "line" }),
    svg("circle", { class: "marker", r: 5.5 }, svg("animateMotion", { dur: "2.2s", repeatCount: "indefinite" })),
    svg(
      "g",
      { class: "cross" },
      svg("circle", { r: 11 }),
      svg("path", { d: "M -4.2 -4.2 L 4.2 4.2 M 4.2 -4.2 L -4.2 4.2" }),
    ),
    svg("g", { class: "badge" }, svg("rect", { x: -40, y: -14, width: 80, height: 28, rx: 14 }), svg("text")),
  );
}

function updateConnection(element, { from, to, ipv4, ipv6 }, { path, middle }) {
  const differs = ipv4 !== ipv6;
  element.setAttribute("class", `connection ${ipv4 ? "works" : "denied"}${differs ? " differs" : ""}`);
  element.setAttribute("aria-label", `${from} to ${to}: ${inWords(ipv4, ipv6)}. Why?`);
  for (const line of element.querySelectorAll("path.hit, path.line")) line.setAttribute("d", path);
  element.querySelector(".line").setAttribute("marker-end", `url(#head-${ipv4 ? "works" : "denied"})`);
  const motion = element.querySelector("animateMotion");
  if (motion.getAttribute("path") !== path) motion.setAttribute("path", path);
  for (const mark of element.querySelectorAll(".cross, .badge")) {
    mark.setAttribute("transform", `translate(${middle.x.toFixed(1)} ${middle.y.toFixed(1)})`);
  }
  element.querySelector(".badge text").textContent = ipv6 ? "IPv6 ✓" : "IPv6 ✕";
}

function inWords(ipv4, ipv6) {
  if (ipv4 === ipv6) return ipv4 ? "works" : "does not work";
  return ipv4 ? "works in IPv4, not in IPv6" : "works in IPv6, not in IPv4";
}
