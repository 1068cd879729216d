# Cross compiling on Debian for FURROW_ARCH (arm64, armhf), with its libraries in FURROW_SYSROOT, which sysroot.sh
# fills. The C and the C++ library are those of Debian's cross compiler, so that the sysroot has neither.
set(CMAKE_TRY_COMPILE_PLATFORM_VARIABLES FURROW_ARCH FURROW_SYSROOT)
if(FURROW_ARCH STREQUAL "arm64")
  set(CMAKE_SYSTEM_PROCESSOR aarch64)
  set(CMAKE_LIBRARY_ARCHITECTURE aarch64-linux-gnu)
elseif(FURROW_ARCH STREQUAL "armhf")
  set(CMAKE_SYSTEM_PROCESSOR armv7l)
  set(CMAKE_LIBRARY_ARCHITECTURE arm-linux-gnueabihf)
  # Times beyond 2038. GCC has changed how it hands on some arguments between versions 6 and 7, and says so at length.
  set(flags "-D_TIME_BITS=64 -D_FILE_OFFSET_BITS=64 -Wno-psabi")
else()
  message(FATAL_ERROR "FURROW_ARCH is arm64 or armhf, not '${FURROW_ARCH}'")
endif()
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_CXX_COMPILER ${CMAKE_LIBRARY_ARCHITECTURE}-g++)
set(CMAKE_CXX_FLAGS_INIT "-isystem ${FURROW_SYSROOT}/usr/include \
-isystem ${FURROW_SYSROOT}/usr/include/${CMAKE_LIBRARY_ARCHITECTURE} -ffile-prefix-map=${FURROW_SYSROOT}= ${flags}")
set(CMAKE_EXE_LINKER_FLAGS_INIT "-L${FURROW_SYSROOT}/usr/lib/${CMAKE_LIBRARY_ARCHITECTURE} \
-Wl,-rpath-link,${FURROW_SYSROOT}/usr/lib/${CMAKE_LIBRARY_ARCHITECTURE}")
set(CMAKE_FIND_ROOT_PATH ${FURROW_SYSROOT})
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)
set(ENV{PKG_CONFIG_LIBDIR} ${FURROW_SYSROOT}/usr/lib/${CMAKE_LIBRARY_ARCHITECTURE}/pkgconfig)
set(ENV{PKG_CONFIG_SYSROOT_DIR} ${FURROW_SYSROOT})
