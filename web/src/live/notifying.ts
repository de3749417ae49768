/** How somebody hears of new mail: as they chose, where the browser lets it, and not while they look. */

import { preferences } from "../session/preferences";

const HERTZ = [880, 1_320] as const;
const TONE_SECONDS = 0.12;

/** New mail came into an inbox. */
export function announce(message: { id: string; sender: string; subject: string }): void {
  const { notifications: desktop, notification_sound: sound } = preferences.get();
  if (sound) ring();
  if (!desktop || !document.hidden || Notification.permission !== "granted") return;
  const shown = new Notification(message.sender, {
    body: message.subject,
    tag: message.id, // several pages of one browser show it once
    icon: "/icon.svg",
  });
  shown.onclick = () => {
    window.focus();
    window.location.assign(`/mail/inbox/${message.id}`);
  };
}

/** Two short tones. */
export function ring(): void {
  const audio = new AudioContext();
  const loudness = audio.createGain();
  loudness.gain.value = 0.08;
  loudness.connect(audio.destination);
  for (const [at, hertz] of HERTZ.entries()) {
    const tone = audio.createOscillator();
    tone.frequency.value = hertz;
    tone.connect(loudness);
    tone.start(audio.currentTime + at * TONE_SECONDS);
    tone.stop(audio.currentTime + (at + 1) * TONE_SECONDS);
    if (at === HERTZ.length - 1) tone.onended = () => void audio.close();
  }
}
