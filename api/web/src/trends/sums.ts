/** What the server sums up (api/routes/trends.py). */

export interface PracticeLine {
  number: number
  title: string
  calls: number
  seen: number
}

export interface Stretch {
  begins: string
  calls: number
  hours: number
  alerts: Record<string, number>
  agent_interruptions: number
  customer_interruptions: number
  angry_calls: number
  response_ms: number | null
  helped: Record<string, number>
  practices: PracticeLine[]
  withheld: boolean
}

export interface Sums {
  of: string | null
  team: string | null
  fewest: number
  stretches: Stretch[]
}

const BACK_DAYS: Record<string, number> = { day: 30, week: 7 * 26, month: 365 }

/** The first day that is asked for: a month of days, half a year of weeks, a year of months. */
export function first(by: string): string {
  const day = new Date()
  day.setDate(day.getDate() - (BACK_DAYS[by] ?? 182))
  return day.toISOString().slice(0, 10)
}
