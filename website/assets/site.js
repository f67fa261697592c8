// What is wider than the screen scrolls in a box, which the keyboard doesn't reach without this.
document$.subscribe(() => {
  for (const box of document.querySelectorAll(".md-typeset__scrollwrap, p:has(> img[src*=architecture_])")) box.tabIndex = 0;
});
