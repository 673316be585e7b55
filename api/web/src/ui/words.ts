/** Names from the playbook and the cue book as people read them. */

/** not_heard → not heard. */
export function named(name: string): string {
  return name.replaceAll('_', ' ')
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
