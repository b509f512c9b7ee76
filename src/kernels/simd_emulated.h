// Stands in for <immintrin.h> in the test program kernels_avx512_emulated: the intrinsics that the
// kernels use, by SIMDe in plain code, so that AVX-512 kernels are tested where no processor has
// it.
#pragma once

#include <emmintrin.h>

// The compiler's own header and SIMDe's aliases both define this type, which nothing here uses.
// NOLINTBEGIN(bugprone-reserved-identifier): the compiler's names are what this header is for.
#define __m128bh tulou_unused_m128bh
#define SIMDE_ENABLE_NATIVE_ALIASES
#include <simde/x86/avx2.h>
#include <simde/x86/avx512/add.h>
#include <simde/x86/avx512/and.h>
#include <simde/x86/avx512/blend.h>
#include <simde/x86/avx512/broadcast.h>
#include <simde/x86/avx512/cast.h>
#include <simde/x86/avx512/cmp.h>
#include <simde/x86/avx512/div.h>
#include <simde/x86/avx512/dpbusd.h>
#include <simde/x86/avx512/extract.h>
#include <simde/x86/avx512/fmadd.h>
#include <simde/x86/avx512/insert.h>
#include <simde/x86/avx512/loadu.h>
#include <simde/x86/avx512/max.h>
#include <simde/x86/avx512/min.h>
#include <simde/x86/avx512/mul.h>
#include <simde/x86/avx512/or.h>
#include <simde/x86/avx512/roundscale.h>
#include <simde/x86/avx512/set1.h>
#include <simde/x86/avx512/setzero.h>
#include <simde/x86/avx512/shuffle.h>
#include <simde/x86/avx512/slli.h>
#include <simde/x86/avx512/srl.h>
#include <simde/x86/avx512/srli.h>
#include <simde/x86/avx512/storeu.h>
#include <simde/x86/avx512/sub.h>
#include <simde/x86/avx512/xor.h>
#include <simde/x86/f16c.h>
#include <simde/x86/fma.h>
#undef __m128bh

#include "kernels/gemm/tiles_emulated.h"

#ifndef _MM_FROUND_NO_EXC
#define _MM_FROUND_NO_EXC SIMDE_MM_FROUND_NO_EXC
#endif
#ifndef _CMP_LT_OQ
#define _CMP_LT_OQ SIMDE_CMP_LT_OQ
#endif
// NOLINTEND(bugprone-reserved-identifier)

// What SIMDe 0.7.4 lacks, from its 256-bit halves.
namespace tulou::kernels::emulated {

inline simde__m512i join(simde__m256i low, simde__m256i high) {
  return simde_mm512_inserti64x4(simde_mm512_castsi256_si512(low), high, 1);
}
inline simde__m512 join(simde__m256 low, simde__m256 high) {
  return simde_mm512_castsi512_ps(
      join(simde_mm256_castps_si256(low), simde_mm256_castps_si256(high)));
}
inline simde__m256i half(simde__m512i v, int upper) {
  return upper != 0 ? simde_mm512_extracti64x4_epi64(v, 1) : simde_mm512_castsi512_si256(v);
}
inline simde__m128i upper_bytes(simde__m128i v) { return simde_mm_srli_si128(v, 8); }

inline simde__m512i cvtepi8_epi32(simde__m128i v) {
  return join(simde_mm256_cvtepi8_epi32(v), simde_mm256_cvtepi8_epi32(upper_bytes(v)));
}
inline simde__m512i cvtepu8_epi32(simde__m128i v) {
  return join(simde_mm256_cvtepu8_epi32(v), simde_mm256_cvtepu8_epi32(upper_bytes(v)));
}
inline simde__m512i cvtepu16_epi32(simde__m256i v) {
  return join(simde_mm256_cvtepu16_epi32(simde_mm256_castsi256_si128(v)),
              simde_mm256_cvtepu16_epi32(simde_mm256_extracti128_si256(v, 1)));
}
inline simde__m512 cvtph_ps(simde__m256i v) {
  return join(simde_mm256_cvtph_ps(simde_mm256_castsi256_si128(v)),
              simde_mm256_cvtph_ps(simde_mm256_extracti128_si256(v, 1)));
}
inline simde__m512 cvtepi32_ps(simde__m512i v) {
  return join(simde_mm256_cvtepi32_ps(half(v, 0)), simde_mm256_cvtepi32_ps(half(v, 1)));
}
inline simde__m512i cvtps_epi32(simde__m512 v) {
  const simde__m512i bits = simde_mm512_castps_si512(v);
  return join(simde_mm256_cvtps_epi32(simde_mm256_castsi256_ps(half(bits, 0))),
              simde_mm256_cvtps_epi32(simde_mm256_castsi256_ps(half(bits, 1))));
}

}  // namespace tulou::kernels::emulated

#define _mm512_cvtepi8_epi32 ::tulou::kernels::emulated::cvtepi8_epi32
#define _mm512_cvtepu8_epi32 ::tulou::kernels::emulated::cvtepu8_epi32
#define _mm512_cvtepu16_epi32 ::tulou::kernels::emulated::cvtepu16_epi32
#define _mm512_cvtph_ps ::tulou::kernels::emulated::cvtph_ps
#define _mm512_cvtepi32_ps ::tulou::kernels::emulated::cvtepi32_ps
#define _mm512_cvtps_epi32 ::tulou::kernels::emulated::cvtps_epi32
