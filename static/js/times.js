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
    for (const time of document.querySelectorAll("time[data-relative]:not([data-relative=''])")) {
      const seconds = (Date.now() - Date.parse(time.dateTime)) / 1000;
      const text = words(time.dataset.relative, seconds);
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
      time.title = new Date(moment).toUTCString().replace("GMT", "UTC");
    }
    tick();
  });
})();
