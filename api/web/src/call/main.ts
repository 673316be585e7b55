import '../ui/theme'
import '../theme.css'
import '../ui/ui.css'
import './call.css'
import { mount } from 'svelte'
import Call from './Call.svelte'

mount(Call, { target: document.getElementById('page')! })
