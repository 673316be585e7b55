/** The overlay on top of other windows: Document Picture-in-Picture, or a pop-up where the browser has none. */
import { mount, unmount } from 'svelte'
import Away from './Away.svelte'

const SIZE = { width: 360, height: 220 }
/** Name of the pop-up: asked for twice, it is the same one. */
const NAME = 'calmline-overlay'

interface PictureInPicture {
  requestWindow(options: { width: number; height: number }): Promise<Window>
}

declare global {
  interface Window {
    documentPictureInPicture?: PictureInPicture
  }
}

export class Floating {
  /** Whether the page is in a window of its own that stays on top. */
  on = $state(false)
  #window: Window | null = null

  /** key: hears the keys of that window too. */
  constructor(private readonly key: (event: KeyboardEvent) => void) {}

  /** A pop-up is small already: it has nothing to leave. */
  get offered(): boolean {
    return window.name !== NAME
  }

  async toggle(): Promise<void> {
    if (this.on) this.#window?.close()
    else if (!this.offered) return
    else if (window.documentPictureInPicture) await this.#float(window.documentPictureInPicture)
    else window.open(location.href, NAME, `popup,width=${SIZE.width},height=${SIZE.height}`)
  }

  async #float(pictures: PictureInPicture): Promise<void> {
    const floating = (this.#window = await pictures.requestWindow(SIZE))
    dress(floating.document)
    const page = document.getElementById('page')!
    floating.document.body.append(page)
    floating.addEventListener('keydown', this.key)
    const away = mount(Away, { target: document.body, props: { back: () => floating.close() } })
    this.on = true
    floating.addEventListener('pagehide', () => {
      void unmount(away)
      document.body.append(page)
      this.on = false
    })
  }
}

/** The other document gets this one's language, theme and styles. */
function dress(other: Document): void {
  other.title = document.title
  other.documentElement.lang = document.documentElement.lang
  Object.assign(other.documentElement.dataset, document.documentElement.dataset)
  for (const sheet of document.querySelectorAll('link[rel=stylesheet], style')) other.head.append(sheet.cloneNode(true))
}
