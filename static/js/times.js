// Updates relative times between polls, in the words of `dashboard.words.duration`.
(() => {
  "use strict";

  function duration(seconds) {
    const whole = Math.max(0, Math.round(seconds));
    const minutes = Math.floor(whole / 60);
    const hours = Math.floor(whole / 3600);
    const days = Math.floor(whole / 86400);
    if (whole < 60) return `${whole} s`;
    if (whole < 3600) return `${minutes} min`;
    if (whole < 86400) return `${hours} h ${String(minutes % 60).padStart(2, "0")} min`;
    return `${days} d ${hours % 24} h`;
  }

  function words(kind, seconds) {
    if (kind === "ago") return `${duration(seconds)} ago`;
    if (kind === "since") return duration(seconds);
    return seconds <= 0 ? `in ${duration(-seconds)}` : `overdue by ${duration(seconds)}`;
  }

  function tick() {
    if (document.hidden) return;
    for (const time of document.querySelectorAll("time[data-relative]:not([data-relative='']), .card > .times time")) {
      const seconds = (Date.now() - Date.parse(time.dateTime)) / 1000;
      const text = words(time.dataset.relative ?? "since", seconds);
      if (time.textContent !== text) time.textContent = text;
    }
  }

  setInterval(tick, 1000);
  document.addEventListener("visibilitychange", tick);

  // An unchanged poll only says when each workspace last synced.
  document.addEventListener("synced", (event) => {
    for (const [workspace, moment] of Object.entries(event.detail)) {
      const holder = document.querySelector(`[data-as-of][data-workspace="${CSS.escape(workspace)}"]`);
      const time = holder?.querySelector("time");
      if (!time || typeof moment !== "string" || !moment) continue;
      time.dateTime = moment;
      time.title = exact(moment);
    }
    tick();
  });

  // Pages are smaller without the exact times of all cards: each is added when someone looks.
  document.addEventListener("pointerover", addTitle);
  document.addEventListener("click", addTitle, true);

  function addTitle(event) {
    const time = event.target.closest?.("time[datetime]:not([title])");
    if (time) time.title = exact(time.dateTime);
  }

  // In the words of `dashboard.display.exact_words`.
  function exact(iso) {
    const moment = new Date(iso);
    const [, day, clock] = stamp(moment, "UTC");
    const words = `${day}, ${clock} UTC`;
    const zone = document.documentElement.dataset.zone;
    if (!zone) return words;
    const [short, localDay, local] = stamp(moment, zone);
    const city = zone.split("/").at(-1).replaceAll("_", " ");
    return `${words} · ${localDay === day ? "" : `${short}, `}${local} ${city}`;
  }

  function stamp(moment, timeZone) {
    const options = {
      day: "2-digit", month: "short", year: "numeric",
      hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23", timeZone,
    };
    const parts = Object.fromEntries(
      new Intl.DateTimeFormat("en-US", options).formatToParts(moment).map((part) => [part.type, part.value]),
    );
    const short = `${parts.day} ${parts.month}`;
    return [short, `${short} ${parts.year}`, `${parts.hour}:${parts.minute}:${parts.second}`];
  }

  // A touch shows the exact time, as the pointer does.
  document.addEventListener("click", (event) => {
    const time = event.target.closest("time[title]");
    if (!time || time.textContent === time.title || time.closest("a, button, summary, label")) return;
    batchboard.showNote(time, [time.title]);
    batchboard.announce(time.title);
  });

  // The server writes times in the browser's time zone to a person who chose that.
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const option = document.querySelector("option[value=browser]");
  if (option) option.textContent += ` (${zone.replaceAll("_", " ")})`;
  if (option || document.documentElement.hasAttribute("data-asks-zone")) {
    document.cookie = `batchboard_zone=${zone}; path=/; max-age=31536000; samesite=lax`;
  }
})();
