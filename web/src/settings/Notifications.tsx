import { useState } from "react";

import { notifying, tellAbout } from "../live/notifying";
import { useSay } from "../strings/use";
import { Tick } from "../ui/Form";
import { useStore } from "../ui/store";

/** How one hears of new mail in this browser. */
export function Notifications() {
  const say = useSay();
  const now = useStore(notifying);
  const [refused, setRefused] = useState(false);
  const canShow = "Notification" in window;
  const show = async (desktop: boolean) => {
    const allowed = !desktop || (await Notification.requestPermission()) === "granted";
    setRefused(!allowed);
    if (allowed) tellAbout({ ...now, desktop });
  };
  return (
    <section className="card" aria-label={say("settings.notifications")}>
      <h2>{say("settings.notifications")}</h2>
      <p className="soft">{say("notify.intro")}</p>
      <Tick
        label={say("notify.desktop")}
        hint={canShow ? undefined : say("notify.cannot")}
        checked={now.desktop}
        disabled={!canShow}
        onChange={(desktop) => void show(desktop)}
      />
      <Tick
        label={say("notify.sound")}
        checked={now.sound}
        onChange={(sound) => tellAbout({ ...now, sound })}
      />
      {refused && (
        <p className="note bad" role="alert">
          {say("notify.refused")}
        </p>
      )}
    </section>
  );
}
