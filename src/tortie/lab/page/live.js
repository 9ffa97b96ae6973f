// Follows the collector: every change as it comes, and whether anybody is there.

// `heard` has a function for each name of value, and `connected(state)`: "live" or "lost".
export function follow({ connected, ...heard }) {
  const source = new EventSource("/events");
  let server = null;
  source.addEventListener("open", () => connected("live"));
  source.addEventListener("error", () => connected("lost")); // the browser tries again by itself
  source.addEventListener("server", ({ data }) => {
    if (server !== null && server !== data) location.reload(); // another lab answers here now, and its page may be another
    server = data;
  });
  for (const [name, tell] of Object.entries(heard)) {
    source.addEventListener(name, (event) => tell(JSON.parse(event.data)));
  }
}
