// src/schema/view.json (what pipeline.view.schema() says) → src/schema/types.ts
import { readFile, writeFile } from 'node:fs/promises'
import { compile } from 'json-schema-to-typescript'

const folder = new URL('../src/schema/', import.meta.url)

/** Pydantic titles every field; as they stand, each would become a named type of its own. */
function untitled(node) {
  if (Array.isArray(node)) return node.map(untitled)
  if (node === null || typeof node !== 'object') return node
  const entries = Object.entries(node).filter(([key, value]) => !(key === 'title' && typeof value === 'string'))
  return Object.fromEntries(entries.map(([key, value]) => [key, untitled(value)]))
}

/** A view is serialised whole: a field with a default is there all the same. */
function whole(node) {
  if (Array.isArray(node)) return node.map(whole)
  if (node === null || typeof node !== 'object') return node
  const copy = Object.fromEntries(Object.entries(node).map(([key, value]) => [key, whole(value)]))
  return copy.properties ? { ...copy, required: Object.keys(copy.properties), additionalProperties: false } : copy
}

const schema = JSON.parse(await readFile(new URL('view.json', folder), 'utf8'))
const source = await compile(whole(untitled(schema)), 'View', {
  bannerComment: '// Generated from view.json by scripts/types.mjs. Do not edit.',
  format: false,
})
await writeFile(new URL('types.ts', folder), source)
