/** What a tab of the browser is called. */

import { useEffect } from "react";

import { useSay } from "../strings/use";

export function useTitle(name: string, unread = 0): void {
  const say = useSay();
  const title = say(unread ? "app.titleUnread" : "app.title", { name, count: unread });
  useEffect(() => {
    document.title = title;
  }, [title]);
}
