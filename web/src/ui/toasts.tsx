/** Short notes at the foot of the page; what can be undone can be undone from there. */

import { create, type Store, useStore } from "./store";

export interface Toast {
  id: number;
  text: string;
  action?: { label: string; run: () => void };
}

const SHOWN_MILLISECONDS = 8_000;

const toasts: Store<Toast[]> = create<Toast[]>([]);
let last = 0;

export function toast(text: string, action?: Toast["action"]): void {
  const id = ++last;
  toasts.set([...toasts.get().slice(-2), { id, text, action }]);
  window.setTimeout(() => dismiss(id), SHOWN_MILLISECONDS);
}

/** Run the newest offer (z). */
export function undoNewest(): void {
  const newest = toasts.get().findLast((one) => one.action);
  if (newest?.action) {
    dismiss(newest.id);
    newest.action.run();
  }
}

function dismiss(id: number): void {
  toasts.set(toasts.get().filter((one) => one.id !== id));
}

export function Toasts() {
  const shown = useStore(toasts);
  return (
    <div className="toasts" role="status" aria-live="polite">
      {shown.map((one) => {
        const { action } = one;
        return (
          <div className="toast" key={one.id}>
            <span>{one.text}</span>
            {action && (
              <button
                type="button"
                onClick={() => {
                  dismiss(one.id);
                  action.run();
                }}
              >
                {action.label}
              </button>
            )}
          </div>
        );
      })}
    </div>
  );
}
