import { connect, type Options } from '@antiphon/client'
import { createAntiphon } from '@antiphon/vue'
import { createApp } from 'vue'
import App from './App.vue'
import { IDENTITY, useIdentity } from './shell/identity'
import { wantsSharing } from './shell/sharing'
import './style.css'

const identity = useIdentity({ tab: sessionStorage, browser: localStorage })
const options: Options = {
  name: 'antiphon-demo',
  /** Asked for at each connect: what others see of us. */
  get data() {
    return identity.name.value === '' ? undefined : { name: identity.name.value }
  },
}
const client = wantsSharing(localStorage) ? (await import('@antiphon/client/share')).share('/', options) : connect('/', options)
createApp(App).use(createAntiphon(client)).provide(IDENTITY, identity).mount('#app')
