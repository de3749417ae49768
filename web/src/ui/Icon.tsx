/** A button that is a picture, with its name for those who do not see it and for who asks. */

import type { LucideIcon } from "lucide-react";
import type { ButtonHTMLAttributes } from "react";

interface Props extends ButtonHTMLAttributes<HTMLButtonElement> {
  icon: LucideIcon;
  label: string;
  shortcut?: string;
  filled?: boolean;
}

export function IconButton({ icon: Picture, label, shortcut, filled, ...rest }: Props) {
  return (
    <button
      type="button"
      className="icon"
      aria-label={label}
      title={shortcut ? `${label} (${shortcut})` : label}
      {...rest}
    >
      <Picture size={18} aria-hidden fill={filled ? "currentColor" : "none"} />
    </button>
  );
}
