// Draws who reaches whom: a node for each resource that answered, an edge n→m where n's targets name m's URL.
// With ?example=true it draws the sample data, else it follows the collector.

const RADIUS = 70;
const NODE_RADIUS = 10;
const PERIOD_MS = 1000;
const SVG = "http://www.w3.org/2000/svg";

const graph = document.getElementById("graph");
const showUnreachable = document.getElementById("unreachable");
const showMarkers = document.getElementById("markers");
const source = new URLSearchParams(location.search).get("example") === "true" ? "/responses/example" : "/responses";

let responses = {};
let drawn = "";

function element(name, attributes, text = "") {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.textContent = text;
  return made;
}

// Every known resource keeps its place on the circle, whether it answers or not.
function places(ids) {
  const angle = (index) => (2 * Math.PI * index) / ids.length - Math.PI / 2;
  return new Map(ids.map((id, index) => [id, { x: RADIUS * Math.cos(angle(index)), y: RADIUS * Math.sin(angle(index)) }]));
}

function edges(answered) {
  const found = [];
  for (const [from, response] of answered) {
    for (const target of response.json?.status?.targets ?? []) {
      for (const [to, other] of answered) {
        if (to !== from && other.url === target.url) found.push({ from, to, reachable: target.reachable });
      }
    }
  }
  return found;
}

// A curve, so that the edges of both directions are told apart.
function curve(a, b) {
  const middle = { x: (a.x + b.x) / 2 + (b.y - a.y) / 6, y: (a.y + b.y) / 2 - (b.x - a.x) / 6 };
  return `M ${a.x} ${a.y} Q ${middle.x} ${middle.y} ${b.x} ${b.y}`;
}

function drawEdge(edge, at) {
  const path = curve(at.get(edge.from), at.get(edge.to));
  const parts = [element("path", { class: edge.reachable ? "edge" : "edge unreachable", d: path })];
  if (edge.reachable && showMarkers.checked) {
    const marker = element("circle", { class: "marker", r: 2 });
    marker.append(element("animateMotion", { path, dur: "2s", repeatCount: "indefinite" }));
    parts.push(marker);
  }
  return parts;
}

function drawNode(id, place) {
  const node = element("g", { class: "node", transform: `translate(${place.x} ${place.y})` });
  node.append(element("circle", { r: NODE_RADIUS }), element("text", {}, id));
  return node;
}

function draw() {
  const wanted = JSON.stringify([responses, showUnreachable.checked, showMarkers.checked]);
  if (wanted === drawn) return; // else the markers would start anew every second
  drawn = wanted;
  const at = places(Object.keys(responses));
  const answered = Object.entries(responses).filter(([, response]) => response !== null);
  const visible = edges(answered).filter((edge) => edge.reachable || showUnreachable.checked);
  graph.replaceChildren(
    ...visible.flatMap((edge) => drawEdge(edge, at)),
    ...answered.map(([id]) => drawNode(id, at.get(id))),
  );
}

// The collector tells more than is drawn, times among it; those must not count as a change.
function essence(response) {
  if (response === null) return null;
  const targets = response.json?.status?.targets ?? [];
  return { url: response.url, json: { status: { targets: targets.map(({ url, reachable }) => ({ url, reachable })) } } };
}

async function refresh() {
  try {
    const answer = await (await fetch(source)).json();
    responses = Object.fromEntries(Object.entries(answer.responses).map(([id, response]) => [id, essence(response)]));
  } catch {
    responses = {};
  }
  draw();
}

showUnreachable.addEventListener("change", draw);
showMarkers.addEventListener("change", draw);
refresh();
setInterval(refresh, PERIOD_MS);
