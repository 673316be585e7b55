/** Who looks at this page. */
import { get, Problem } from './api'

/** name: the agent's id, or what the settings call the supervisor. policy: of this server. */
export interface Me {
  role: 'supervisor' | 'agent' | 'door'
  name: string
  policy: string
}

let asked: Promise<Me> | null = null

/** Asked once a page. Raises Problem. */
export function me(): Promise<Me> {
  asked ??= get<Me>('/me').catch((error: unknown) => {
    asked = null
    throw error
  })
  return asked
}

/** Why the server does not open a page's socket: nobody is logged in (null), or somebody is who may not see it. */
export interface Bar {
  who: Me | null
}

/** Asked afresh each time: a login ends. may: whether this one sees what the page shows. */
export async function barred(may: (who: Me) => boolean): Promise<Bar | null> {
  try {
    const who = await get<Me>('/me')
    return may(who) ? null : { who }
  } catch (error) {
    return error instanceof Problem && (error.status === 401 || error.status === 403) ? { who: null } : null
  }
}
