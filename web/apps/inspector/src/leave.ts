/**
 * To the login page. The server answers this very address with it once the session has ended, so the part after `#`
 * stays, and whoever logs in is where they were.
 */
export function leave(): void {
  if (import.meta.env.DEV) location.replace(`${import.meta.env.BASE_URL}login.html${location.hash}`)
  else location.reload()
}
