// What is wider than the screen scrolls in a box, which the keyboard doesn't reach without this.
document$.subscribe(() => {
  for (const box of document.querySelectorAll(".md-typeset__scrollwrap, p:has(> img:is([src*=architecture_], [src$='demo.svg']))")) box.tabIndex = 0;
});

// The theme names the button of versions "Select version", and so hides from a screen reader which one is shown. It makes
// the button once it has the list of versions: before this script runs, or after it.
const nameTheButtonOfVersions = () => {
  const button = document.querySelector(".md-version__current[aria-label='Select version']");
  if (button) button.ariaLabel = `${button.innerText}, select version`;
};
nameTheButtonOfVersions();
new MutationObserver(nameTheButtonOfVersions).observe(document.querySelector(".md-header__topic"), {childList: true});
