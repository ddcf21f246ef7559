import { render } from 'preact'
import './style.css'

render(<p>Hello</p>, document.body)
