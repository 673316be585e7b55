/** Colours of the style sheet for what is drawn on a canvas, and word when they change. */

/** As a canvas takes it: rgb(…). name: of a custom property, such as --anger. */
export function colour(name: string): string {
  const probe = document.createElement('span')
  probe.style.color = `var(${name})`
  document.body.append(probe)
  const found = getComputedStyle(probe).color
  probe.remove()
  return found
}

/** The same colour, seen through. share: of it, 0-1. */
export function faint(name: string, share: number): string {
  return colour(name).replace(/^rgb\((.*)\)$/, `rgba($1, ${share})`)
}

/** Calls back when the page changes between light and dark; returns what ends that. */
export function onTheme(changed: () => void): () => void {
  const system = matchMedia('(prefers-color-scheme: dark)')
  const watcher = new MutationObserver(changed)
  watcher.observe(document.documentElement, { attributeFilter: ['data-theme'] })
  system.addEventListener('change', changed)
  return () => {
    watcher.disconnect()
    system.removeEventListener('change', changed)
  }
}
