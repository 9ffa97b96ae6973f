// Why a connection is allowed or denied: the verdict, what decided it, and everything that was considered on the way.

import { html } from "./dom.js";
import { markConsidered } from "./policies.js";

// The explanation that is shown, if any; it follows what changes.
export class Why {
  // `find(question)` is the connection as measured, null if nothing is measured there; `select(question)` marks what is drawn of it,
  // nothing for null; `drawn(question)` is that element.
  constructor(element, policies, { find, select, drawn }) {
    Object.assign(this, { element, policies, find, select, drawn });
    this.asked = null; // the connection that is being explained: its ends, as /explain wants them
    this.explained = ""; // what is shown of it, so that only a change is drawn, and read out
    this.seen = ""; // as measured, when it was asked
    document.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && this.asked) this.forget();
    });
  }

  async ask(question) {
    const own = { ...question };
    this.asked = own;
    this.select(own);
    this.seen = JSON.stringify(this.find(own));
    const answer = await fetch(`/explain?${new URLSearchParams(own)}`).catch(() => null);
    const said = answer?.ok ? await answer.json() : await answer?.text();
    if (this.asked !== own) return; // somebody has asked something else meanwhile
    if (!answer?.ok) {
      this.explained = "";
      drawFailure(this.element, own.from, own.to, said ?? "The lab does not answer.", () => this.forget());
      return;
    }
    const measured = this.find(own);
    const latest = JSON.stringify([own, said, measured]);
    if (latest === this.explained) return;
    this.explained = latest;
    drawExplanation(this.element, own.from, own.to, said, measured, () => this.forget());
    markConsidered(this.policies, considered(said));
  }

  again() {
    if (this.asked) this.ask(this.asked);
  }

  // The same where only measurements have come, most of which say nothing new of this connection.
  measuredAgain() {
    if (this.asked && JSON.stringify(this.find(this.asked)) !== this.seen) this.again();
  }

  forget() {
    const drawn = this.asked && this.drawn(this.asked);
    const hadFocus = this.element.contains(document.activeElement);
    this.asked = null;
    this.explained = "";
    this.element.hidden = true;
    this.element.replaceChildren();
    this.select(null);
    markConsidered(this.policies, []);
    if (hadFocus) drawn?.focus();
  }
}

// `explanation` is the answer of /explain.
function drawExplanation(element, from, to, explanation, measured, close) {
  const verdict = explanation.ipv4 ?? explanation.ipv6;
  const word = verdict.allowed ? "allowed" : "denied";
  show(element, `why ${word}`, [`${from} → ${to} `, html("strong", {}, word)], close, [
    html("p", { class: "flow" }, `${explanation.source} → ${explanation.destination}, ${explanation.protocol} port ${explanation.port}`),
    ...reasons(explanation, verdict),
    ...verdict.decisions.map((decision) => trace(explanation, decision, verdict.allowed || !decision.allowed)),
    ...otherFamily(explanation),
    ...contradiction(explanation, measured),
  ]);
}

function drawFailure(element, from, to, text, close) {
  show(element, "why", [`${from} → ${to}`], close, [html("p", {}, text)]);
}

function show(element, kind, title, close, content) {
  const button = html("button", { type: "button", class: "close", "aria-label": "Close the explanation" }, "✕");
  button.addEventListener("click", close);
  element.className = kind;
  element.hidden = false;
  element.replaceChildren(html("header", {}, html("h2", { id: "why-title" }, ...title), button), ...content);
}

// The names under which the policies that were considered are enforced.
function considered(explanation) {
  const decisions = (explanation.ipv4 ?? explanation.ipv6).decisions;
  return decisions.filter(({ allowed }) => !allowed).flatMap(({ policies }) => policies);
}

const endOf = (explanation, { direction }) => (direction === "Egress" ? explanation.source : explanation.destination);

function reasons(explanation, verdict) {
  const deciding = verdict.allowed ? verdict.decisions : verdict.decisions.filter(({ allowed }) => !allowed).slice(0, 1);
  return deciding.map((decision) =>
    html(
      "p",
      { class: "reason" },
      `${decision.direction} of ${endOf(explanation, decision)} is ${decision.allowed ? "allowed" : "denied"} by `,
      html("b", {}, decision.reason),
      decision.byDefault ? `: ${names(decision.policies)} allows it.` : ".",
    ),
  );
}

// "no rule of allow-ui and default-deny", with names as people give them.
function names(policies) {
  const short = policies.map((policy) => policy.replace(/^\S+ (.*\/)?(knp\.default\.)?/, ""));
  const last = short.pop();
  return `no rule of ${short.length ? `${short.join(", ")} or ` : ""}${last}`;
}

function trace(explanation, decision, open, family = "") {
  const lines = decision.lines.map((line) => {
    const text = line.trimStart();
    const item = html("li", { class: /: matches$/.test(text) ? "matches" : "" }, text);
    item.style.setProperty("--depth", (line.length - text.length) / 2);
    return item;
  });
  lines.at(-1)?.classList.add("conclusion");
  return html(
    "details",
    { class: "trace", open },
    html("summary", {}, `${family}${decision.direction} of ${endOf(explanation, decision)}`),
    html("ol", {}, ...lines),
  );
}

function otherFamily(explanation) {
  const { ipv4, ipv6 } = explanation;
  if (ipv4 === null || ipv6 === null) return [];
  const same = ipv4.allowed === ipv6.allowed && ipv4.reason === ipv6.reason;
  const text = same ? "The same in IPv6." : `In IPv6: ${ipv6.allowed ? "allowed" : "denied"}, ${ipv6.reason}.`;
  const traces = same ? [] : ipv6.decisions.map((decision) => trace(explanation, decision, false, "IPv6: "));
  return [html("p", { class: same ? "family" : "family differs" }, text), ...traces];
}

// What policy says and what packets do may differ for a moment after a change, and else only if something is broken.
function contradiction({ ipv4, ipv6 }, measured) {
  if (measured === null) return [];
  const wrong = [
    [ipv4, "ipv4", "IPv4"],
    [ipv6, "ipv6", "IPv6"],
  ].filter(([verdict, family]) => verdict !== null && verdict.allowed !== measured[family]);
  return wrong.map(([, family, name]) => {
    const word = measured.words?.[family] ?? (measured[family] ? "works" : "no answer");
    const end = word === "refused" ? ": nobody listens there in this family." : ", as yet.";
    return html("p", { class: "contradiction" }, `Measured in ${name}: ${word}${end}`);
  });
}
