/** Who looks at this page. */
import { get } from './api'

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
