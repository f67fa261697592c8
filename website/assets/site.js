// A table that is wider than the screen scrolls in a box of the theme, which the keyboard doesn't reach without this.
document$.subscribe(() => {
  for (const box of document.querySelectorAll(".md-typeset__scrollwrap")) box.tabIndex = 0;
});
