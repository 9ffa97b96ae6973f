// The panel beside the graph: the step, and the policies in force, those of the step first.

import { html, keep } from "./dom.js";

export function drawSteps(element, { step, titles }) {
  keep(
    element,
    titles.map((title, index) => ({ title, number: index + 1 })),
    ({ number }) => String(number),
    ({ title, number }) => html("li", { title }, html("b", {}, String(number)), html("span", {}, title)),
    (item, { number }) => {
      item.className = number < step.number ? "done" : "";
      if (number === step.number) item.setAttribute("aria-current", "step");
      else item.removeAttribute("aria-current");
    },
  );
}

export function drawStep(element, { step }) {
  if (element.dataset.step === String(step.number)) return; // else it would be read out again
  element.dataset.step = step.number;
  element.hidden = false;
  element.replaceChildren(html("h2", {}, `Step ${step.number}: ${step.title}`), html("p", {}, step.text));
}

const keyOf = ({ kind, namespace, name }) => `${kind} ${namespace}/${name}`;

// `step` is null where there is no demo: policies are then of nobody's step.
export function drawPolicies(element, { step, policies }) {
  const number = step?.number ?? 0;
  element.hidden = false;
  if (element.firstChild === null) {
    element.append(html("h2", { id: "policies-title" }), html("p", { class: "none" }), html("ul", {}));
  }
  const [title, none, list] = element.children;
  title.textContent = policies.length ? `Policies in force (${policies.length})` : "Policies in force";
  none.textContent = policies.length ? "" : "None. Each namespace’s profile allows everything.";
  // an order by what matters: this step's, what others have added, then the steps before
  const rank = (policy) => (policy.step === number ? 0 : policy.step === null ? 1 : 2 + number - policy.step);
  const ordered = [...policies].sort((one, other) => rank(one) - rank(other));
  keep(list, ordered, keyOf, makePolicy, (item, policy) => updatePolicy(item, policy, number));
}

function makePolicy({ kind, namespace, name }) {
  return html(
    "li",
    {},
    html(
      "details",
      {},
      html(
        "summary",
        {},
        html("span", { class: "policy-name" }, name),
        html("span", { class: "namespace" }, namespace ? `in ${namespace}` : "everywhere"),
        html("span", { class: "tag" }),
      ),
      html("p", { class: "kind" }, kind),
      html("pre", { tabindex: "0", "aria-label": `spec of ${name}` }),
    ),
  );
}

function updatePolicy(item, policy, number) {
  const details = item.firstElementChild;
  const isNew = number > 0 && (policy.step === null || policy.step === number);
  if (item.dataset.step !== String(number)) details.open = isNew; // what a reader opened or shut stays so within a step
  item.dataset.step = number;
  item.dataset.means = JSON.stringify(policy.means);
  item.className = isNew ? "new" : "";
  const tag = policy.step !== null ? `step ${policy.step}` : number > 0 ? "added" : "";
  item.querySelector(".tag").textContent = isNew && policy.step !== null ? "new" : tag;
  item.querySelector("pre").textContent = policy.spec.trimEnd();
}

// Marks the policies that an explanation has considered, by the names under which they are enforced.
export function markConsidered(element, names) {
  for (const item of element.querySelectorAll("li")) {
    item.toggleAttribute("data-considered", JSON.parse(item.dataset.means).some((name) => names.includes(name)));
  }
}
