"use strict";
// Asks for the state of the run every few seconds while somebody looks at the page.
(() => {
  const live = document.querySelector("#live");
  const connection = document.querySelector("#connection");
  let shown = "";

  async function refresh() {
    if (document.hidden) return;
    try {
      const answer = await fetch("live", { cache: "no-store" });
      if (!answer.ok) throw new Error(answer.statusText);
      const html = await answer.text();
      if (html !== shown) window.replaceContent(live, html);
      shown = html;
      document.title = live.querySelector("[data-title]").dataset.title;
      connection.textContent = `as of ${new Date().toLocaleTimeString()}`;
    } catch {
      connection.textContent = "make watch has ended; this is the last state that it told";
    }
  }

  async function keepUp() {
    await refresh();
    setTimeout(keepUp, 1000 * live.dataset.seconds);
  }
  document.addEventListener("visibilitychange", refresh);
  keepUp();
})();
