import '../ui/theme'
import '../theme.css'
import '../ui/ui.css'
import './room.css'
import { mount } from 'svelte'
import List from './List.svelte'

mount(List, { target: document.getElementById('page')! })
