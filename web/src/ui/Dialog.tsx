/** A question or a list before everything else; Escape leaves it, and the focus goes back. */

import { X } from "lucide-react";
import { type ReactNode, useEffect, useRef } from "react";
import { createPortal } from "react-dom";

import { useSay } from "../strings/use";
import { IconButton } from "./Icon";

interface Props {
  open: boolean;
  onClose: () => void;
  title: string;
  children: ReactNode;
  wide?: boolean;
}

export function Dialog({ open, onClose, title, children, wide = false }: Props) {
  const say = useSay();
  const box = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const dialog = box.current;
    if (!dialog || !open) return;
    dialog.showModal();
    return () => dialog.close();
  }, [open]);
  if (!open) return null;
  // Beside the page and not in it: a form of a dialog must not stand within another form.
  return createPortal(
    <dialog ref={box} className="dialog" data-wide={wide || undefined} aria-label={title} onClose={onClose}>
      <div className="between">
        <h2>{title}</h2>
        <IconButton icon={X} label={say("app.close")} onClick={onClose} />
      </div>
      {children}
    </dialog>,
    document.body,
  );
}
