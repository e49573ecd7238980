// Pointing at a symbol, at its name in the code, or at its button at the end of the page lights all
// places where it stands; a click keeps them lit until the next one.
"use strict";
const marks = [...document.querySelectorAll("[data-v]")];
let kept;
const symbolAt = (event) => event.target.closest?.("[data-v]")?.dataset.v;
function light(symbol) {
  for (const mark of marks) mark.classList.toggle("lit", mark.dataset.v === symbol);
}
document.addEventListener("mouseover", (event) => light(symbolAt(event) ?? kept));
document.addEventListener("focusin", (event) => light(symbolAt(event) ?? kept));
document.addEventListener("click", (event) => light(kept = symbolAt(event)));

// With #selftest in its address the page measures itself, and says what it found.
function measure() {
  for (const details of document.querySelectorAll("details")) details.open = true;
  const all = (what) => [...document.querySelectorAll(what)];
  const name = (element) => element.textContent.trim().slice(0, 60);
  return {
    width: innerWidth,
    overflow: document.documentElement.scrollWidth <= innerWidth ? [] : all("body *")
      .filter((it) => it.getBoundingClientRect().right > innerWidth + 1 && !it.closest("pre, .wide"))
      .map((it) => `${it.localName}: ${name(it)}`),
    scrolling: all("pre").filter((pre) => pre.scrollWidth > pre.clientWidth + 1).map(name),
    formulas: all("math").length,
    unset: all("math").filter((math) => !(math.getBoundingClientRect().width > 1)).map(name),
    images: all("img").length,
    missing: all("img").filter((image) => !image.naturalWidth).map((image) => image.src),
    requests: performance.getEntriesByType("resource").map((entry) => entry.name)
      .filter((address) => !/^(file|data|blob):/.test(address)),
  };
}
if (location.hash === "#selftest") {
  for (const image of document.images) image.loading = "eager";
  addEventListener("load", async () => {
    await Promise.all([...document.images].map((image) => image.decode().catch(() => 0)));
    const found = JSON.stringify({ page: location.pathname.split("/").pop(), ...measure() });
    parent.postMessage(found, "*");
    document.body.append(Object.assign(document.createElement("pre"), { id: "selftest", textContent: found }));
  });
}
