// From what was measured to words: two letters for each port, of IPv4 and IPv6.

const WORDS = { y: "works", n: "no answer", r: "refused", x: "no route", "?": "not yet measured" };

export const ITSELF = "..";

// The letters of a source at the port with this index.
export const lettersAt = ({ rows }, source, index) => rows[source].slice(2 * index, 2 * index + 2);

// The index of the port that a question is about; -1 if nobody listens there.
export const indexOf = ({ ports }, { to, protocol, port }) =>
  ports.findIndex((each) => each.workload === to && each.protocol === protocol && each.port === port);

// Whether each family works, as an explanation is held against it; null if nothing is measured there.
export function connectionAt(measured, question) {
  const index = indexOf(measured, question);
  const [ipv4, ipv6] = index < 0 || !(question.from in measured.rows) ? "??" : lettersAt(measured, question.from, index);
  if (ipv4 === "?" || ipv6 === "?") return null;
  return { ipv4: ipv4 === "y", ipv6: ipv6 === "y", words: { ipv4: WORDS[ipv4], ipv6: WORDS[ipv6] } };
}

export function inWords({ from, to, protocol, port }, letters) {
  const [ipv4, ipv6] = letters;
  const said = ipv4 === ipv6 ? WORDS[ipv4] : `${WORDS[ipv4]} in IPv4, ${WORDS[ipv6]} in IPv6`;
  return `${from} to ${to}, ${protocol} ${port}: ${said}`;
}

export function summary({ rows }) {
  const pairs = Object.values(rows).flatMap((row) => row.match(/../g) ?? []).filter((letters) => letters !== ITSELF);
  const works = pairs.filter(([ipv4]) => ipv4 === "y").length;
  const differs = pairs.filter(([ipv4, ipv6]) => ipv4 !== ipv6).length;
  return `${works} of ${pairs.length} connections work${differs ? `; IPv6 differs in ${differs}` : ""}.`;
}
