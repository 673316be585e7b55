import '../ui/theme'
import '../theme.css'
import './overlay.css'
import { mount } from 'svelte'
import Ask from './Ask.svelte'
import Overlay from './Overlay.svelte'

const agent = new URLSearchParams(location.search).get('agent')?.trim()
const target = document.getElementById('page')!
if (agent) mount(Overlay, { target, props: { agent } })
else mount(Ask, { target })
