// What the pages have in common around their drawings: the step, the policies, and whether anybody answers.

import { drawPolicies, drawStep, drawSteps } from "./policies.js";

const element = (id) => document.getElementById(id);

export function followStep(view) {
  if (view.step) {
    drawSteps(element("steps"), view);
    drawStep(element("step"), view);
  }
  drawPolicies(element("policies"), view);
}

export function showConnection(state) {
  element("connection").className = state;
  element("connection").textContent = { live: "live", lost: "the lab does not answer", sample: "sample data" }[state];
  document.body.classList.toggle("stale", state === "lost");
}
