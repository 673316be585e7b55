import { svelte } from '@sveltejs/vite-plugin-svelte'
import { defineConfig } from 'vite'

/** Each page is a file NAME.html here (and a name in api/routes/pages.py); the server mounts api/static at /static and serves it at /NAME. */
const pages = ['overlay', 'wall', 'capture', 'room', 'call', 'trends']

export default defineConfig({
  base: '/static/',
  plugins: [svelte()],
  build: {
    outDir: '../static',
    emptyOutDir: true,
    assetsInlineLimit: 0, // a data: address would need a hole in the content security policy
    modulePreload: { polyfill: false },
    rolldownOptions: { input: Object.fromEntries(pages.map((name) => [name, `${name}.html`])) },
  },
  server: { proxy: { '/live': { target: 'ws://127.0.0.1:8765', ws: true } } },
})
