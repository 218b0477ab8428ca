import type { Component } from 'vue'

/** A room of the demo: `#/NAME` in the address. Its code is loaded when it is opened first. */
export interface Room {
  readonly name: string
  readonly title: string
  readonly load: () => Promise<{ readonly default: Component }>
}

export const ROOMS = [
  { name: 'chat', title: 'Chat', load: () => import('./rooms/chat/Room.vue') },
  { name: 'notifications', title: 'Notifications', load: () => import('./rooms/notifications/Room.vue') },
  { name: 'analytics', title: 'Analytics', load: () => import('./rooms/analytics/Room.vue') },
  { name: 'monitoring', title: 'Monitoring', load: () => import('./rooms/monitoring/Room.vue') },
] as const satisfies readonly Room[]

export type RoomName = (typeof ROOMS)[number]['name']
