// Where things are in the graph, in units of its view box.

const CENTRE = { x: 400, y: 316 };
const RADII = { x: 268, y: 204 };
export const STAR = 58;
const GAP = 12;
const BEND = 0.15;

// Every resource keeps its place on the ellipse, whether it answers or not.
export function places(ids) {
  const place = (index) => {
    const angle = (2 * Math.PI * index) / ids.length - Math.PI / 2;
    return { x: CENTRE.x + RADII.x * Math.cos(angle), y: CENTRE.y + RADII.y * Math.sin(angle), above: Math.sin(angle) < -0.3 };
  };
  return new Map(ids.map((id, index) => [id, place(index)]));
}

function towards(from, to, distance) {
  const length = Math.hypot(to.x - from.x, to.y - from.y);
  return { x: from.x + ((to.x - from.x) * distance) / length, y: from.y + ((to.y - from.y) * distance) / length };
}

// A curve that bends to its right, so that the two directions between two stars lie apart; and its middle.
export function curve(a, b) {
  const bend = { x: (a.x + b.x) / 2 + (b.y - a.y) * BEND, y: (a.y + b.y) / 2 - (b.x - a.x) * BEND };
  const [begin, end] = [towards(a, bend, STAR + GAP), towards(b, bend, STAR + GAP)];
  const middle = { x: (begin.x + 2 * bend.x + end.x) / 4, y: (begin.y + 2 * bend.y + end.y) / 4 };
  const round = (value) => value.toFixed(1);
  const path = `M ${round(begin.x)} ${round(begin.y)} Q ${round(bend.x)} ${round(bend.y)} ${round(end.x)} ${round(end.y)}`;
  return { path, middle };
}

export function star(radius) {
  const corner = (index) => {
    const distance = index % 2 ? radius * 0.52 : radius;
    const angle = (Math.PI * index) / 5 - Math.PI / 2;
    return `${(distance * Math.cos(angle)).toFixed(1)} ${(distance * Math.sin(angle)).toFixed(1)}`;
  };
  return `M ${[...Array(10).keys()].map(corner).join(" L ")} z`;
}
