// Arrow keys, Page keys, space or a tap turn the slides; n shows the notes; the address keeps the slide.
"use strict";
const slides = [...document.querySelectorAll(".slide")];
function show(number) {
  const n = Math.min(Math.max(number, 1), slides.length);
  slides.forEach((slide, i) => slide.classList.toggle("here", i === n - 1));
  history.replaceState(null, "", `#${n}`);
}
const here = () => slides.findIndex((slide) => slide.classList.contains("here")) + 1;
slides.forEach((slide, i) => slide.insertAdjacentHTML("beforeend", `<span class="number">${i + 1}</span>`));
addEventListener("keydown", (event) => {
  if (event.target.closest?.("summary") && [" ", "Enter"].includes(event.key)) return;
  const steps = { ArrowRight: 1, ArrowDown: 1, PageDown: 1, " ": 1, ArrowLeft: -1, ArrowUp: -1, PageUp: -1 };
  if (event.key in steps) show(here() + steps[event.key]);
  else if (event.key === "Home") show(1);
  else if (event.key === "End") show(slides.length);
  else if (event.key === "n") document.body.classList.toggle("noted");
  else return;
  event.preventDefault();
});
addEventListener("click", (event) => {
  if (!event.target.closest("a, summary, details, .notes")) show(here() + 1);
});
addEventListener("hashchange", () => show(+location.hash.slice(1) || here()));

// With #selftest: every slide, what of it is clipped, and its smallest type.
if (location.hash === "#selftest") {
  addEventListener("load", async () => {
    await Promise.all([...document.images].map((image) => image.decode().catch(() => 0)));
    const found = slides.map((slide, i) => {
      show(i + 1);
      for (const details of slide.querySelectorAll("details")) details.open = true;
      const box = slide.getBoundingClientRect();
      const parts = [...slide.querySelectorAll("h1, h2, p, li, pre, td, th, img, figcaption, math, summary")]
        .filter((part) => !part.closest(".notes"));
      const beyond = parts.filter((part) => {
        const r = part.getBoundingClientRect();
        return r.left < -1 || r.top < -1 || r.right > box.width + 1 || r.bottom > box.height + 1 ||
          (part.localName === "pre" && part.scrollWidth > part.clientWidth + 1);
      });
      const type = parts.filter((part) => part.textContent.trim())
        .map((part) => parseFloat(getComputedStyle(part).fontSize) * 960 / innerWidth);
      return { slide: i + 1, clipped: beyond.map((part) => part.textContent.slice(0, 40)), type: Math.min(...type, 99) };
    });
    const images = [...document.images].filter((image) => !image.naturalWidth).map((image) => image.src);
    const said = JSON.stringify({ page: location.pathname.split("/").pop(), width: innerWidth, slides: found, missing: images });
    parent.postMessage(said, "*");
  });
}
show(+location.hash.slice(1) || 1);
