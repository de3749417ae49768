import { useState } from "react";

import { ring } from "../live/notifying";
import { preferences, usePrefer } from "../session/preferences";
import { useSay } from "../strings/use";
import { Tick, Trouble } from "../ui/Form";
import { useStore } from "../ui/store";

/** How one hears of new mail; whether it may be shown is asked of each browser. */
export function Notifications() {
  const say = useSay();
  const now = useStore(preferences);
  const prefer = usePrefer();
  const [refused, setRefused] = useState(false);
  const canShow = "Notification" in window;
  // It was chosen elsewhere, and this browser was not asked yet.
  const unasked = canShow && now.notifications && Notification.permission === "default";
  const show = async (desktop: boolean) => {
    const allowed = !desktop || (await Notification.requestPermission()) === "granted";
    setRefused(!allowed);
    if (allowed) prefer.mutate({ notifications: desktop });
  };
  return (
    <section className="card" aria-label={say("settings.notifications")}>
      <h2>{say("settings.notifications")}</h2>
      <p className="soft">{say("notify.intro")}</p>
      <Tick
        label={say("notify.desktop")}
        hint={canShow ? undefined : say("notify.cannot")}
        checked={now.notifications}
        disabled={!canShow}
        onChange={(desktop) => void show(desktop)}
      />
      <Tick
        label={say("notify.sound")}
        checked={now.notification_sound}
        onChange={(sound) => {
          if (sound) ring();
          prefer.mutate({ notification_sound: sound });
        }}
      />
      {unasked && (
        <button type="button" className="button" onClick={() => void show(true)}>
          {say("notify.here")}
        </button>
      )}
      <Trouble of={prefer.error} />
      {refused && (
        <p className="note bad" role="alert">
          {say("notify.refused")}
        </p>
      )}
    </section>
  );
}
