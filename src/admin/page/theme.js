import { by } from '/page/format.js';

const dark = matchMedia('(prefers-color-scheme: dark)');
const key = 'sluice-theme';

/** The button switches; the choice stays with this browser. `changed` is told when colours are others. */
export function startTheme(changed) {
  const root = document.documentElement;
  const chosen = localStorage.getItem(key);
  if (chosen === 'dark' || chosen === 'light') root.dataset.theme = chosen;
  by('theme').addEventListener('click', () => {
    const now = root.dataset.theme ?? (dark.matches ? 'dark' : 'light');
    root.dataset.theme = now === 'dark' ? 'light' : 'dark';
    localStorage.setItem(key, root.dataset.theme);
    changed();
  });
  dark.addEventListener('change', changed);
}

/** A custom property as a colour that a canvas takes. */
export function colour(name) {
  // light-dark() is resolved on an element, not in the property itself.
  const probe = document.createElement('span');
  probe.style.color = `var(${name})`;
  document.body.append(probe);
  const { color } = getComputedStyle(probe);
  probe.remove();
  return color;
}
