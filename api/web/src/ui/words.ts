/** Names from the playbook and the cue book as people read them. */

import { strings } from '../strings'

/** not_heard → not heard. */
export function named(name: string): string {
  return name.replaceAll('_', ' ')
}

/** What a score rests on, as a phrase: a measure with its unit, or how often something was said. */
export function told([name, value]: [string, number]): string {
  return strings.call.measure[name]?.(value) ?? strings.call.said(named(name), value)
}

/** The file or device that a call came from; nothing for a door, through which all of them come. */
export function recorded(source: string): string {
  return source.startsWith('door ') ? '' : source
}

/** A moment of the day a call began: 14:05 today, else with its date. Empty for a call without one. */
export function began(started: string): string {
  const when = new Date(started)
  if (Number.isNaN(when.getTime()) || when.getTime() === 0) return ''
  const time = when.toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' })
  const today = when.toDateString() === new Date().toDateString()
  if (today) return time
  const year = when.getFullYear() === new Date().getFullYear() ? undefined : 'numeric'
  return `${when.toLocaleDateString([], { day: 'numeric', month: 'short', year })}, ${time}`
}
