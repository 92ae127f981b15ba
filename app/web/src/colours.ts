/** The page's colours, for what draws on a canvas. */

import { useEffect, useState } from "preact/hooks";

export type Rgb = [number, number, number];

/** Read a CSS variable as the scheme has it: light or dark. */
export function colourOf(variable: string): string {
  const probe = document.body.appendChild(document.createElement("i"));
  probe.style.color = `var(${variable})`;
  const { color } = getComputedStyle(probe);
  probe.remove();
  return color;
}

export const rgbOf = (variable: string): Rgb => (colourOf(variable).match(/[\d.]+/g) ?? []).slice(0, 3).map(Number) as Rgb;

/** Whether the scheme is dark; whoever asks is drawn again when it changes. */
export function useDark(): boolean {
  const query = matchMedia("(prefers-color-scheme: dark)");
  const [isDark, setDark] = useState(query.matches);
  useEffect(() => {
    const changed = () => setDark(query.matches);
    query.addEventListener("change", changed);
    return () => query.removeEventListener("change", changed);
  }, []);
  return isDark;
}
