/** Colours and density, remembered in this browser. */

import { create } from "./store";

export type Theme = "system" | "light" | "dark";
export type Density = "cosy" | "compact";

export interface Appearance {
  theme: Theme;
  density: Density;
}

const KEY = "postbus.appearance";

function remembered(): Appearance {
  try {
    const kept: unknown = JSON.parse(localStorage.getItem(KEY) ?? "{}");
    const { theme, density } = kept as Partial<Appearance>;
    return { theme: theme ?? "system", density: density ?? "cosy" };
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof DOMException)
      return { theme: "system", density: "cosy" };
    throw error;
  }
}

export const appearance = create<Appearance>(remembered());

export function show({ theme, density }: Appearance): void {
  const root = document.documentElement;
  if (theme === "system") delete root.dataset.theme;
  else root.dataset.theme = theme;
  root.dataset.density = density;
}

export function choose(chosen: Appearance): void {
  appearance.set(chosen);
  localStorage.setItem(KEY, JSON.stringify(chosen));
  show(chosen);
}
