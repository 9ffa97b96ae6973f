// Light or dark: the system's choice until the reader makes another, which is remembered.

const KEY = "scheme";
const systemIsDark = matchMedia("(prefers-color-scheme: dark)");

function current() {
  return document.documentElement.dataset.scheme ?? (systemIsDark.matches ? "dark" : "light");
}

export function initScheme(button) {
  const stored = localStorage.getItem(KEY);
  if (stored) document.documentElement.dataset.scheme = stored;
  const name = () => {
    button.textContent = current() === "dark" ? "Light" : "Dark";
    button.setAttribute("aria-label", `Use ${button.textContent.toLowerCase()} colours`);
  };
  button.addEventListener("click", () => {
    const chosen = current() === "dark" ? "light" : "dark";
    document.documentElement.dataset.scheme = chosen;
    localStorage.setItem(KEY, chosen);
    name();
  });
  systemIsDark.addEventListener("change", name);
  name();
}
