// From the collector's responses to what is drawn.
//
// A service for each resource; it is a node of the graph if it answered. A connection for each pair of nodes n, m where n's
// targets contain a URL equal, as a string, to m's.

function service([id, response], urls) {
  const url = response?.url ?? urls.get(id);
  const [name = "", namespace = ""] = url ? new URL(url).hostname.split(".") : [];
  const port = url ? new URL(url).port || "80" : "";
  return { id, name, namespace, port, answers: response !== null };
}

// `urls` holds the last known URL of each resource: one that does not answer still has its place and its name.
export function services(responses, urls) {
  return Object.entries(responses).map((entry) => service(entry, urls));
}

export function connections(responses) {
  const nodes = Object.entries(responses).filter(([, response]) => response !== null);
  return nodes.flatMap(([from, { json }]) =>
    nodes.flatMap(([to, { url }]) => {
      const target = to === from ? undefined : json?.status?.targets?.find((candidate) => candidate.url === url);
      return target === undefined ? [] : [connection(from, to, target)];
    }),
  );
}

// Probes that do not tell the families apart say only whether a target is reachable at all.
function connection(from, to, target) {
  const ipv4 = target.ipv4 ?? target.reachable;
  return { from, to, ipv4, ipv6: target.ipv6 ?? ipv4 };
}

export function summary(found) {
  const working = found.filter(({ ipv4 }) => ipv4).map(({ from, to }) => `${from} to ${to}`);
  const differing = found.filter(({ ipv4, ipv6 }) => ipv4 !== ipv6).map(({ from, to }) => `${from} to ${to}`);
  const works = working.length ? `These connections work: ${working.join(", ")}.` : "No connection between services works.";
  return differing.length ? `${works} IPv6 differs: ${differing.join(", ")}.` : works;
}
