import { svelte } from '@sveltejs/vite-plugin-svelte'
import { defineConfig } from 'vite'

// The server mounts api/static at /static and serves overlay.html at /overlay.
export default defineConfig({
  base: '/static/',
  plugins: [svelte()],
  build: {
    outDir: '../static',
    emptyOutDir: true,
    assetsInlineLimit: 0, // a data: address would need a hole in the content security policy
    modulePreload: { polyfill: false },
    rolldownOptions: { input: { overlay: 'overlay.html' } },
  },
  server: { proxy: { '/live': { target: 'ws://127.0.0.1:8765', ws: true } } },
})
