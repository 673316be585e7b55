/** Asking the server: JSON in and out, and errors in words that a page can show. */
import { strings } from '../strings'

/** status: of the answer, 0 where none came. message: one line, for people. */
export class Problem extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message)
  }
}

/** Raises Problem. */
export async function get<T>(path: string, signal?: AbortSignal): Promise<T> {
  return (await (await ask(path, { signal })).json()) as T
}

/** POST, PUT or DELETE; body: sent as JSON. Raises Problem. */
export async function send<T>(method: string, path: string, body?: unknown): Promise<T | null> {
  const headers = body === undefined ? undefined : { 'Content-Type': 'application/json' }
  const answer = await ask(path, { method, headers, body: body === undefined ? undefined : JSON.stringify(body) })
  const text = await answer.text()
  return text ? (JSON.parse(text) as T) : null
}

/** A query string from what is set; empty values are left out. */
export function query(values: Record<string, string | number | boolean | null | undefined>): string {
  const set = Object.entries(values).filter(([, value]) => value !== '' && value !== null && value !== undefined)
  const text = new URLSearchParams(set.map(([name, value]) => [name, String(value)])).toString()
  return text ? `?${text}` : ''
}

async function ask(path: string, options: RequestInit): Promise<Response> {
  let answer: Response
  try {
    answer = await fetch(path, options)
  } catch (error) {
    if (error instanceof DOMException && error.name === 'AbortError') throw error
    throw new Problem(0, strings.ui.unreachable)
  }
  if (!answer.ok) throw new Problem(answer.status, await reason(answer))
  return answer
}

async function reason(answer: Response): Promise<string> {
  try {
    return ((await answer.json()) as { detail: string }).detail
  } catch {
    return strings.ui.refused(answer.status)
  }
}
