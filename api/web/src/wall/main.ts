import '../ui/theme'
import '../theme.css'
import '../ui/ui.css'
import 'uplot/dist/uPlot.min.css'
import './wall.css'
import { mount } from 'svelte'
import Wall from './Wall.svelte'

mount(Wall, { target: document.getElementById('page')! })
