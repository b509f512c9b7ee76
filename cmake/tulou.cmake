# The functions that the folders of src/ describe themselves with.

find_package(Threads REQUIRED)
if(NOT TULOU_KERNELS_ONLY)
  find_package(simdjson REQUIRED)
  find_package(nlohmann_json REQUIRED)
  find_package(Boost 1.81 REQUIRED)  # headers of Asio; nothing of it is linked
  set(OPENSSL_USE_STATIC_LIBS TRUE)  # Debian has the .a
  find_package(OpenSSL 3.0 REQUIRED)
endif()
include(CheckPIESupported)
check_pie_supported(LANGUAGES CXX)

# The unit tests need GoogleTest. TULOU_TESTS=AUTO builds them where it is installed.
set(TULOU_WITH_TESTS OFF)
if(TULOU_TESTS STREQUAL "AUTO")
  if(NOT TULOU_KERNELS_ONLY)
    find_package(GTest QUIET)
  endif()
  if(GTest_FOUND)
    set(TULOU_WITH_TESTS ON)
  else()
    message(STATUS "GoogleTest is not installed: the program is built without its tests")
  endif()
elseif(TULOU_TESTS)
  set(TULOU_WITH_TESTS ON)
  if(CMAKE_CROSSCOMPILING)
    # Debian has no GoogleTest library for the other machine, but it ships the sources.
    set(INSTALL_GTEST OFF)
    add_subdirectory(/usr/src/googletest/googletest "${CMAKE_BINARY_DIR}/googletest"
                     EXCLUDE_FROM_ALL)
    if(NOT TARGET GTest::gtest)
      add_library(GTest::gtest ALIAS gtest)
      add_library(GTest::gtest_main ALIAS gtest_main)
    endif()
  else()
    find_package(GTest REQUIRED)
  endif()
endif()

# Options of every target of the project. Warnings become errors in the presets, not here.
add_library(tulou_options INTERFACE)
target_include_directories(tulou_options INTERFACE "${CMAKE_SOURCE_DIR}/src")
# Floating point is written down exactly in the kernels: nothing is contracted behind their backs.
target_compile_options(tulou_options INTERFACE
  -Wall -Wextra -Wshadow -Wconversion -Wno-sign-conversion -ffp-contract=off -fno-math-errno)
# GCC 12 warns of overlaps that cannot be in std::string (GCC bug 105651).
target_compile_options(tulou_options INTERFACE $<$<CXX_COMPILER_ID:GNU>:-Wno-restrict>)
target_link_libraries(tulou_options INTERFACE Threads::Threads)
# Hardening: bounds checks of the standard library and of libc, protected stack and jumps, read-only
# relocations. Position independence is set for every target in the top CMakeLists.txt.
if(NOT CMAKE_BUILD_TYPE STREQUAL "Debug" AND TULOU_SANITIZE STREQUAL "")
  target_compile_options(tulou_options INTERFACE -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2)
endif()
target_compile_definitions(tulou_options INTERFACE _GLIBCXX_ASSERTIONS)
target_compile_options(tulou_options INTERFACE -fstack-protector-strong -fstack-clash-protection)
if(CMAKE_SYSTEM_PROCESSOR STREQUAL "x86_64")
  target_compile_options(tulou_options INTERFACE -fcf-protection=full)
endif()
target_link_options(tulou_options INTERFACE -Wl,-z,relro -Wl,-z,now -Wl,-z,noexecstack)
if(TULOU_SANITIZE)
  target_compile_options(tulou_options INTERFACE
    -fsanitize=${TULOU_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  # What AddressSanitizer finds as well; a third of the time to compile.
  if(TULOU_SANITIZE MATCHES "address")
    target_compile_options(tulou_options INTERFACE -fno-sanitize=null,object-size,vptr)
  endif()
  target_link_options(tulou_options INTERFACE -fsanitize=${TULOU_SANITIZE})
endif()
# In the asan preset too, so that both builds have the same objects and ccache makes them once.
if(TULOU_FUZZ_COVERAGE)
  target_compile_options(tulou_options INTERFACE -fsanitize=fuzzer-no-link)
endif()

# Headers that most tests need and that take seconds to compile, precompiled once for all of them.
# Tests include what they use all the same. Not for the library: asan and fuzz share its objects.
if(TULOU_WITH_TESTS)
  file(CONFIGURE OUTPUT "${CMAKE_BINARY_DIR}/precompiled.cpp" CONTENT "int main() {}\n")
  # A program, so that it is compiled as the tests are (-fPIE).
  add_executable(tulou_precompiled "${CMAKE_BINARY_DIR}/precompiled.cpp")
  target_link_libraries(tulou_precompiled PRIVATE tulou_options GTest::gtest)
  target_precompile_headers(tulou_precompiled PRIVATE
    <gtest/gtest.h> $<$<NOT:$<BOOL:${TULOU_KERNELS_ONLY}>>:<nlohmann/json.hpp$<ANGLE-R>>)
endif()

# tulou_tests(TARGET): what every test program has.
function(tulou_tests target)
  target_link_libraries(${target} PRIVATE GTest::gtest GTest::gtest_main)
  target_precompile_headers(${target} REUSE_FROM tulou_precompiled)
endfunction()

# tulou_folder(NAME SOURCES ... DEPENDS ... TESTS ... TEST_DEPENDS ...)
# One static library for a folder, and one test program for the tests that lie beside its code.
# DEPENDS names the folders it may include (the table in tests/tidy) and outside libraries.
function(tulou_folder name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPENDS;TESTS;TEST_DEPENDS" ${ARGN})
  add_library(tulou_${name} STATIC ${ARG_SOURCES})
  target_link_libraries(tulou_${name} PUBLIC tulou_options ${ARG_DEPENDS})
  if(TULOU_WITH_TESTS AND ARG_TESTS)
    add_executable(${name}_test ${ARG_TESTS})
    target_link_libraries(${name}_test PRIVATE tulou_${name} ${ARG_TEST_DEPENDS})
    tulou_tests(${name}_test)
    add_test(NAME ${name} COMMAND ${name}_test WORKING_DIRECTORY "${CMAKE_SOURCE_DIR}")
    set_tests_properties(${name} PROPERTIES TIMEOUT 900)
  endif()
endfunction()

# tulou_program(NAME SOURCES ... DEPENDS ...)
# A program at the top of the build folder. In a release it needs nothing of the machine but glibc:
# libstdc++ is linked statically, and a library that Debian ships without a .a (simdjson) is copied
# beside the program, which looks for it there ($ORIGIN).
function(tulou_program name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPENDS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE tulou_options ${ARG_DEPENDS})
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}"
                                           BUILD_WITH_INSTALL_RPATH ON INSTALL_RPATH "$ORIGIN")
  if(TULOU_SANITIZE STREQUAL "")
    target_link_options(${name} PRIVATE -static-libstdc++ -static-libgcc)
  endif()
  add_custom_command(TARGET ${name} POST_BUILD VERBATIM
    COMMAND "${CMAKE_COMMAND}" -E copy_if_different "$<TARGET_FILE:simdjson::simdjson>"
            "$<TARGET_FILE_DIR:${name}>/$<TARGET_SONAME_FILE_NAME:simdjson::simdjson>")
endfunction()

# tulou_fuzz(NAME DEPENDS ...): fuzz/NAME.cpp as a libFuzzer target, seeded from fuzz/corpus/NAME,
# and as a test of 50,000 runs with a fixed seed. Only with TULOU_FUZZ (clang).
function(tulou_fuzz name)
  cmake_parse_arguments(ARG "" "" "DEPENDS" ${ARGN})
  if(NOT TULOU_FUZZ)
    return()
  endif()
  add_executable(fuzz_${name} ${name}.cpp asan_options.cpp)
  target_link_libraries(fuzz_${name} PRIVATE tulou_options ${ARG_DEPENDS})
  target_link_options(fuzz_${name} PRIVATE -fsanitize=fuzzer)
  add_dependencies(fuzzers fuzz_${name})
  set(findings "${CMAKE_BINARY_DIR}/findings/${name}")
  set(found "${CMAKE_BINARY_DIR}/corpus/${name}")  # libFuzzer writes into the first folder
  file(MAKE_DIRECTORY "${findings}" "${found}")
  add_test(NAME fuzz_${name}
           COMMAND fuzz_${name} -runs=50000 -seed=1 -timeout=5 -rss_limit_mb=1024 -max_len=65536
                   -artifact_prefix=${findings}/ "${found}"
                   "${CMAKE_SOURCE_DIR}/fuzz/corpus/${name}")
  set_tests_properties(fuzz_${name} PROPERTIES TIMEOUT 900)
endfunction()
