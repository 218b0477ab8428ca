import { computed, ref, watchEffect, type ComputedRef, type Ref } from 'vue'

/** What the reader wants: what the system says, or one of the two. */
export type Theme = 'system' | 'light' | 'dark'

export const THEMES: readonly Theme[] = ['system', 'light', 'dark']

const KEY = 'antiphon.theme'

interface ThemeState {
  /** The choice; it is remembered in this browser, and other tabs follow. */
  theme: Ref<Theme>
  /** Whether the page is dark now. */
  isDark: Readonly<ComputedRef<boolean>>
}

let state: ThemeState | undefined

/** The theme of the page, one for all that ask. It stands on `<html>` as `data-theme`, which `tokens.css` obeys. */
export function useTheme(): ThemeState {
  state ??= begin()
  return state
}

function begin(): ThemeState {
  const theme = ref(toTheme(remembered()))
  const media = matchMedia('(prefers-color-scheme: dark)')
  const isSystemDark = ref(media.matches)
  media.addEventListener('change', ({ matches }) => (isSystemDark.value = matches))
  addEventListener('storage', ({ key, newValue }) => {
    if (key === KEY) theme.value = toTheme(newValue)
  })
  watchEffect(
    () => {
      if (theme.value === 'system') delete document.documentElement.dataset.theme
      else document.documentElement.dataset.theme = theme.value
      remember(theme.value)
    },
    { flush: 'sync' },
  )
  return { theme, isDark: computed(() => (theme.value === 'system' ? isSystemDark.value : theme.value === 'dark')) }
}

function toTheme(text: string | null): Theme {
  return THEMES.find((theme) => theme === text) ?? 'system'
}

function remembered(): string | null {
  try {
    return localStorage.getItem(KEY)
  } catch {
    // The browser keeps nothing for this page.
    return null
  }
}

function remember(theme: Theme): void {
  try {
    localStorage.setItem(KEY, theme)
  } catch {
    // The choice lasts as long as the page.
  }
}
