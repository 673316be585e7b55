import '../ui/theme'
import '../theme.css'
import '../ui/ui.css'
import './capture.css'
import { mount } from 'svelte'
import Capture from './Capture.svelte'

mount(Capture, { target: document.getElementById('page')! })
