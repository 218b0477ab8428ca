import '@antiphon/client/worker'
