const KEY = 'antiphon.share'

/** Whether all tabs of this browser shall have one connection. A page that runs keeps what it has begun with. */
export function wantsSharing(memory: Pick<Storage, 'getItem'>): boolean {
  return memory.getItem(KEY) === 'yes'
}

export function wantSharing(memory: Pick<Storage, 'setItem'>, isWanted: boolean): void {
  memory.setItem(KEY, isWanted ? 'yes' : 'no')
}
