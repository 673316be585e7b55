import '../ui/theme'
import '../theme.css'
import '../ui/ui.css'
import './trends.css'
import { mount } from 'svelte'
import Trends from './Trends.svelte'

mount(Trends, { target: document.getElementById('page')! })
